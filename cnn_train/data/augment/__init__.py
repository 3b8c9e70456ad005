"""Random changes of the training images, drawn for each image on its own.

A new kind of change is a file here, its settings in settings.py, and a line in ``build`` there.
"""
