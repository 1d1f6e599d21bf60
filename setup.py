"""The wheel's contents: conf and experiments, which stand beside dgn in a checkout, go into the package."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["dgn", "dgn.*"]), "dgn.conf", "dgn.experiments"],
    package_dir={"dgn.conf": "conf", "dgn.experiments": "experiments"},
    package_data={
        "dgn": ["assets/*", "report/templates/*", "app/*.css"],
        "dgn.conf": ["*.yaml", "*/*.yaml"],
        "dgn.experiments": ["*.yaml", "*/*.yaml"],
    },
)
