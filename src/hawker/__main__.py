"""`python -m hawker` is `hawker`."""

from hawker.cli.main import main

if __name__ == "__main__":
    main()
