"""Search for good settings: a space of them, and a study that many processes can share."""
