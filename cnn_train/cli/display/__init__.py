"""What results look like on the screen: a module per kind of result."""
