"""python synthesize.py 'units=[lemon,goldfish]': synthesize what units want to see, and write a page of it."""

from dgn.cli import synthesize

if __name__ == "__main__":
    synthesize()
