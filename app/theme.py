"""How the studio looks: one accent, system fonts, light and dark. Nothing comes from a network."""

from __future__ import annotations

from gradio.themes import Base, Color, Font, sizes

from trainer.config import ASSETS

STYLE = ASSETS / "studio" / "studio.css"

SAFELIGHT = Color(
    name="safelight",
    c50="#fff5f1", c100="#ffe6dc", c200="#ffc9b5", c300="#ffa585", c400="#f97f57", c500="#e35d33",
    c600="#bf4219", c700="#9c3413", c800="#7a2a12", c900="#5a2111", c950="#331208",
)  # fmt: skip
"""The red-orange of a darkroom lamp: the one accent."""
PAPER = Color(
    name="paper",
    c50="#faf9f7", c100="#f3f1ed", c200="#e6e3dd", c300="#d3cfc7", c400="#a39e95", c500="#78736b",
    c600="#5a554e", c700="#423e39", c800="#292623", c900="#1c1a18", c950="#131110",
)  # fmt: skip
TEXT = [Font(name) for name in ("system-ui", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")]
CODE = [Font(name) for name in ("ui-monospace", "SF Mono", "Menlo", "Consolas", "monospace")]


class Dashbooth(Base):
    """Warm paper, ink, and one lamp."""

    def __init__(self) -> None:
        super().__init__(
            primary_hue=SAFELIGHT,
            secondary_hue=PAPER,
            neutral_hue=PAPER,
            spacing_size=sizes.spacing_md,
            radius_size=sizes.radius_lg,
            text_size=sizes.text_md,
            font=TEXT,
            font_mono=CODE,
        )
        self.set(
            body_background_fill="*neutral_50",
            body_background_fill_dark="*neutral_950",
            body_text_color_subdued="*neutral_600",
            body_text_color_subdued_dark="*neutral_400",
            block_background_fill="white",
            block_background_fill_dark="*neutral_900",
            block_border_color="*neutral_200",
            block_border_color_dark="*neutral_800",
            block_label_text_color="*neutral_600",
            block_label_text_color_dark="*neutral_300",
            block_info_text_color="*neutral_600",
            block_info_text_color_dark="*neutral_400",
            block_title_text_weight="600",
            block_title_text_color="*neutral_800",
            block_title_text_color_dark="*neutral_100",
            block_shadow="none",
            input_border_width="1px",
            input_radius="8px",
            input_background_fill="white",
            input_background_fill_dark="*neutral_950",
            input_border_color="*neutral_300",
            input_border_color_dark="*neutral_700",
            input_placeholder_color="*neutral_500",
            input_placeholder_color_dark="*neutral_400",
            button_primary_background_fill="*primary_600",
            button_primary_background_fill_hover="*primary_700",
            button_primary_background_fill_dark="*primary_600",
            button_primary_background_fill_hover_dark="*primary_500",
            button_primary_text_color="white",
            button_secondary_background_fill="white",
            button_secondary_background_fill_hover="*neutral_100",
            button_secondary_background_fill_dark="*neutral_800",
            button_secondary_background_fill_hover_dark="*neutral_700",
            button_secondary_border_color="*neutral_300",
            button_secondary_border_color_dark="*neutral_700",
            button_border_width="1px",
            checkbox_label_background_fill="*neutral_100",
            checkbox_label_background_fill_dark="*neutral_800",
            checkbox_border_color="*neutral_400",
            button_large_text_weight="600",
            button_transition="background 120ms",
            color_accent_soft="*primary_50",
            color_accent_soft_dark="*primary_950",
            link_text_color="*primary_700",
            link_text_color_dark="*primary_300",
        )
