"""`python -m colorcli`."""

from colorcli.cli import main

main()
