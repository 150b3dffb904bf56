"""A whole consortium from one file: the model of it, the worlds it runs in, the verdict, the command."""

VERSION = "0.1.0"
