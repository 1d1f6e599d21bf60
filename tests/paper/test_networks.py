"""What a training's own folder says of a network, kept where the network is not."""

from pathlib import Path

import pytest

from dgn.base.errors import UserError
from dgn.paper import networks, page, steps
from tests.paper.conftest import NET

LOG = "iteration,images,metric,value\n{}"
LINES = ["50,6400,val/top1,1.5", "100,12800,loss/classifier,3.0", "100,12800,val/top1,41.27", "100,12800,val/top5,70.2"]


@pytest.fixture
def trained(paper):
    """The network's file and its log."""
    folder = steps.FOLDER / "net"
    folder.mkdir(parents=True)
    (folder / "net.safetensors").write_bytes(b"weights")
    (folder / networks.LOG).write_text(LOG.format("\n".join(LINES) + "\n"))
    return folder


def test_a_network_has_its_last_evaluation_and_what_it_has_seen(paper, trained):
    settings = paper()
    assert networks.update(settings, paper_docs(settings)) == [
        networks.Record("net", NET["line"], "100", "12800", "41.3", "70.2")
    ]
    (trained / "net.safetensors").unlink()
    assert networks.update(settings, paper_docs(settings)) == networks.read(paper_docs(settings))
    assert len(networks.read(paper_docs(settings))) == 1
    text = page.write(settings, page_docs(settings)).read_text()
    assert "| `net` | `train experiment=networks/net data.root=MINIPLACES` | 100 | 12,800 | 41.3 / 70.2 % |" in text


def test_a_generator_has_what_it_leaves_unexplained(paper, trained):
    (trained / networks.LOG).write_text(LOG.format("1250,40000,val/unexplained/observer,0.94219\n"))
    (one,) = networks.update(paper(), paper_docs(paper()))
    assert (one.unexplained, one.top1) == ("0.942", "") and "| unexplained 0.942 |" in networks.section([one])


def test_a_network_without_a_log_was_not_trained(paper, trained):
    (trained / networks.LOG).unlink()
    (one,) = networks.update(paper(), paper_docs(paper()))
    assert one == networks.Record("net", NET["line"], "0", "0") and "| 0 | 0 |  |" in networks.section([one])


def test_a_network_that_is_not_there_has_no_row(paper):
    assert networks.update(paper(), paper_docs(paper())) == [] and networks.read(paper_docs(paper())) == []
    assert "## The networks" not in page.write(paper(), page_docs(paper())).read_text()


def test_another_table_is_said(paper):
    folder = paper_docs(paper())
    folder.mkdir()
    (folder / networks.FILE).write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="is not a table of networks"):
        networks.read(folder)


def page_docs(settings):
    return Path(settings.docs)


def paper_docs(settings):
    return page_docs(settings) / "paper"
