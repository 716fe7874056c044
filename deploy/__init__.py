"""One image, and what each platform takes it by."""
