"""Dataverse: contacts read in shared requests, opt-outs written against a version, activities in one batch."""
