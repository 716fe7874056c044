"""The bill of materials of what is installed in an image, as CycloneDX; it is made, and read again, in the image."""
