"""Methods of networks as decoders: autoencoders of diffusers, BigGAN, a representation autoencoder."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dgn.base.errors import UserError
from dgn.generators.called import Called
from dgn.synthesis.load import load_prior

MODULE = """
from torch import nn


class Coder(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.encoder, self.decoder = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 3, padding=1)
        self.width = width

    def forward(self, image):
        return self.decode(self.encoder(image))

    def decode(self, code, gain=1):
        return {"images": gain * self.decoder(code).tanh()}
"""


def prior_of(synthesis, *words):
    """The prior of `generator=called` with these words, and the images of two codes."""
    prior = load_prior(synthesis("generator=called", *words))
    code = torch.randn(2, *prior.generator.code_shape, requires_grad=True)
    images = prior.generator(code)
    (gradient,) = torch.autograd.grad(images[0].sum(), code)
    assert gradient[0].any()
    assert not gradient[1].any()  # a row does not depend on its neighbour
    return prior, images


def test_a_method_with_fixed_arguments_is_a_decoder(synthesis, tmp_path, monkeypatch):
    (tmp_path / "my_coder.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    words = ["generator.args.network._target_=my_coder.Coder", "generator.args.network.width=4"]
    shape = "generator.moments.shape=[4,8,8]"
    prior, images = prior_of(synthesis, *words, shape)
    assert images.shape == (2, 3, 8, 8)
    _, twice = prior_of(synthesis, *words, shape, "generator.args.arguments.gain=2")
    assert twice.shape == images.shape
    code = torch.ones(1, 4, 8, 8)
    network = prior.generator.network.network
    torch.testing.assert_close(
        Called(network, "decode", {"gain": 2})(code)["images"], 2 * network.decode(code)["images"]
    )
    torch.testing.assert_close(Called(network, "decoder", {})(code), network.decoder(code))


def test_a_method_that_is_not_there_is_one_sentence():
    with pytest.raises(UserError, match="Linear has no 'decode'"):
        Called(nn.Linear(2, 2), "decode", {})
    with pytest.raises(UserError, match="in_features of Linear is a int"):
        Called(nn.Linear(2, 2), "in_features", {})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("AutoencoderTiny", "{encoder_block_out_channels: [8, 8, 8, 8], decoder_block_out_channels: [8, 8, 8, 8]}"),
        ("AutoencoderKL", "{block_out_channels: [32, 32], layers_per_block: 1, latent_channels: 4, "
         "down_block_types: [DownEncoderBlock2D, DownEncoderBlock2D], "
         "up_block_types: [UpDecoderBlock2D, UpDecoderBlock2D]}"),
    ],
)  # fmt: skip
def test_a_small_autoencoder_of_diffusers(name, network, synthesis):
    pytest.importorskip("diffusers")
    words = [f"generator.args.network={network}", f"+generator.args.network._target_=diffusers.{name}"]
    _, images = prior_of(synthesis, *words, "generator.moments.shape=[4,8,8]")
    side = {"AutoencoderTiny": 64, "AutoencoderKL": 16}[name]
    assert images.shape == (2, 3, side, side)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("tokens", "shape"), [(False, "[64,4,4]"), (True, "[16,64]")])
def test_a_representation_autoencoder_of_diffusers(tokens, shape, synthesis):
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")
    network = (
        "{encoder_type: dinov2, encoder_hidden_size: 64, encoder_num_hidden_layers: 1, decoder_hidden_size: 32, "
        "decoder_num_hidden_layers: 1, decoder_num_attention_heads: 2, decoder_intermediate_size: 32, "
        f"encoder_input_size: 56, patch_size: 8, reshape_to_2d: {str(not tokens).lower()}}}"
    )
    words = [f"generator.args.network={network}", "+generator.args.network._target_=diffusers.AutoencoderRAE"]
    _, images = prior_of(synthesis, *words, f"generator.moments.shape={shape}", "generator.range=[0,1]")
    assert images.shape == (2, 3, 32, 32)


BIGGAN = """
import torch
from pytorch_pretrained_biggan import BigGAN, BigGANConfig

LAYERS = [(True, 16, 8), (True, 8, 4), (True, 4, 2), (True, 2, 1)]  # up, in, out of channel_width


def small():
    torch.manual_seed(0)
    config = BigGANConfig(output_dim=16, z_dim=8, class_embed_dim=8, channel_width=8, num_classes=5, layers=LAYERS,
                          attention_layer_position=1)
    network = BigGAN(config).train()
    with torch.no_grad():
        for parameter in network.parameters():  # the library leaves some of them as they are in memory
            parameter.normal_(0, 0.3)
        for _ in range(9):  # finds the spectral norms
            network.generator(torch.randn(2, 16), 0.4)
    return network.eval()
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_biggan_with_latent_and_class_in_its_code(synthesis, tmp_path, monkeypatch):
    pytest.importorskip("pytorch_pretrained_biggan")
    (tmp_path / "my_biggan.py").write_text(BIGGAN)
    monkeypatch.chdir(tmp_path)
    words = ["generator.args.network._target_=my_biggan.small", "generator.args.method=generator",
             "+generator.args.arguments.truncation=0.4"]  # fmt: skip
    prior, images = prior_of(synthesis, *words, "generator.moments.shape=[16]")
    assert images.shape == (2, 3, 64, 64)
    assert float(images.min()) >= 0 and float(images.max()) <= 1
    network, code = prior.generator.network.network, torch.randn(1, 16)
    torch.testing.assert_close(prior.generator(code), (network.generator(code, 0.4) + 1) / 2)


STYLEGAN = """
import torch
from torch import nn


class Synthesis(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine, self.colour = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)]), nn.Conv2d(8, 3, 1)
        self.start = nn.Parameter(torch.randn(8, 4, 4))
        self.register_buffer("noise_const", torch.randn(16, 16))

    def forward(self, ws, noise_mode="random"):
        x = self.start.expand(len(ws), -1, -1, -1)
        for affine, w in zip(self.affine, ws.unbind(1)):
            x = nn.functional.interpolate((x * affine(w)[:, :, None, None]).relu(), scale_factor=2)
        noise = self.noise_const if noise_mode == "const" else torch.randn(16, 16)
        return self.colour(x[..., :16, :16]).tanh() + 0.1 * noise


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.mapping, self.synthesis = nn.Linear(8, 8), Synthesis()


def load():
    return Generator().eval()
"""


def test_the_synthesis_of_a_stylegan_with_a_w_for_each_layer(synthesis, tmp_path, monkeypatch):
    (tmp_path / "my_stylegan.py").write_text(STYLEGAN)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    codes = torch.randn(40, 1, 8).repeat(1, 3, 1)
    save_file({"ws": codes}, tmp_path / "w.safetensors")
    words = ["generator.args.network._target_=my_stylegan.load", "generator.args.method=synthesis",
             "+generator.args.arguments.noise_mode=const", "generator.codes=w.safetensors"]  # fmt: skip
    prior, images = prior_of(synthesis, *words)
    assert images.shape == (2, 3, 16, 16)
    torch.testing.assert_close(prior.moments.mean, codes.mean(0))
    assert torch.equal(prior.generator(codes[:2]), prior.generator(codes[:2]))  # no noise of its own
