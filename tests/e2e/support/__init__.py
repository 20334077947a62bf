"""What the end-to-end tests share: a server of one's own, a raw HTTP client, images made by hand, the real clients."""
