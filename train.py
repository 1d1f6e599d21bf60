"""python train.py data=imagefolder data.root=DIR: train a generator (or task=classifier) and write one file."""

from dgn.cli import train

if __name__ == "__main__":
    train()
