"""The SFTP server, met by a real SFTP client."""
