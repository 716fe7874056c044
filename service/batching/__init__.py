"""The one queue: requests that arrive together are encoded, merged and computed together."""
