"""The skeleton that both U-Nets share, against diffusers' own: Stable Diffusion's, its cross-attention silenced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel  # noqa: E402

from avatar.echomimic.config import TINY  # noqa: E402

if TYPE_CHECKING:
    from avatar.echomimic.networks import Networks


@pytest.fixture(scope="module")
def theirs(tiny: Networks) -> UNet2DConditionModel:
    """With our parameters; what their blocks have beyond (attention to a text, a head) adds nothing."""
    unet = TINY.unet
    made = UNet2DConditionModel(
        in_channels=4, out_channels=4, block_out_channels=unet.channels, layers_per_block=unet.layers,
        attention_head_dim=unet.heads, norm_num_groups=unet.groups, cross_attention_dim=8,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    ).eval()  # fmt: skip
    missing, unexpected = made.load_state_dict(tiny.reference.state_dict(), strict=False)
    assert not unexpected and all("attn2" in name or "norm2" in name or name.startswith("conv_") for name in missing)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "attn2.to_out" in name:
                parameter.zero_()
    return made


@pytest.mark.parametrize(("height", "width"), [(16, 16), (8, 24), (12, 12), (9, 15)])
def test_it_computes_what_diffusers_own_does(
    tiny: Networks, theirs: UNet2DConditionModel, height: int, width: int
) -> None:
    """Sides that cannot be halved among them: there the way up returns to the sizes of the way down."""
    latents = torch.randn(2, 4, height, width, generator=torch.Generator().manual_seed(height))
    seen: list[torch.Tensor] = []

    def keep(module: object, given: tuple[Any, ...]) -> None:
        seen.append(given[0])

    hook = theirs.conv_norm_out.register_forward_pre_hook(keep)
    try:
        with torch.no_grad():
            theirs(latents, torch.tensor(0), torch.zeros(2, 1, 8))
            _, ours = tiny.reference(latents)
    finally:
        hook.remove()
    assert float((ours - seen[0]).norm() / seen[0].norm()) < 1e-5
