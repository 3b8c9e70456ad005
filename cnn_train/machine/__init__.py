"""The computer: its device, its processes, its files, its memory and its clock."""
