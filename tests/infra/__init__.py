"""The template for Azure, held to the code that it is for."""
