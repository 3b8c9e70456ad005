"""Image files of any kind: found, decoded, brought to the size of the network, written."""
