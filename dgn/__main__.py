"""`python -m dgn COMMAND`, the same as `dgn COMMAND`."""

from dgn.cli import main

if __name__ == "__main__":
    main()
