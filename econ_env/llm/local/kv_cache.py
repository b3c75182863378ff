"""Keys and values of a running batch: appended in place, with rows that leave and rows that enter.

All rows end at the same position; shorter rows have padding on their left, which a mask hides. A
buffer has spare rows and positions, so a step copies only its own position, a row that leaves at
most one row, and a row that enters only itself.

This module imports torch and transformers; import it only where a model runs.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel, cache_utils
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from econ_env.llm.types import ModelError

_STATELESS_LAYER = getattr(cache_utils, "DummyLayer", None)
"""Layer that keeps no state, which transformers has since 5.23; None in earlier versions."""


class AppendingLayer(DynamicLayer):
    """Keys and values of one layer in buffers with spare room.

    The loop uses only ``update``, ``batch_select_indices``, ``join`` and ``trim``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._room: tuple[torch.Tensor, torch.Tensor] | None = None
        self._left = 0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append the states of new positions; shapes (rows, heads, positions, width)."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        rows, _, new, _ = key_states.shape
        length = self.get_seq_length() + new
        if self._room is None or self._left + length > self._room[0].shape[2]:
            self._make_room(key_states, value_states, rows=rows, length=length, padding=0)
        start, stop = self._left + length - new, self._left + length
        for buffer, states in zip(self._buffers(), (key_states, value_states), strict=True):
            buffer[:rows, :, start:stop] = states
        return self._show(rows, stop)

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep, repeat or reorder the rows.

        Works in place if rows stay where they are and only rows behind them move.
        """
        chosen = indices.tolist()
        moved = [(to, at) for to, at in enumerate(chosen) if to != at]
        if self._room is None or any(at < len(chosen) for _, at in moved):
            super().batch_select_indices(indices)
            self._room, self._left = None, 0
            return
        for buffer in self._buffers():
            for to, at in moved:
                buffer[to] = buffer[at]
        self._show(len(chosen), self._left + self.get_seq_length())

    def join(self, other: AppendingLayer, rows: torch.Tensor) -> None:
        """Put ``rows`` of ``other`` behind the rows of this layer, with a common end.

        Padding on the left is filled with zeros: even hidden values must be finite.
        """
        keys, values = self._states()
        new_keys, new_values = other._states()
        present, own, new = keys.shape[0], keys.shape[2], new_keys.shape[2]
        total, length = present + len(rows), max(own, new)
        stop = self._left + own
        if self._room is None or total > self._room[0].shape[0] or length > stop:
            self._make_room(keys, values, rows=total, length=length, padding=length - own)
            stop = length
        self._left = stop - length
        for buffer, states in zip(self._buffers(), (new_keys, new_values), strict=True):
            buffer[:present, :, self._left : stop - own] = 0
            buffer[present:total, :, self._left : stop - new] = 0
            buffer[present:total, :, stop - new : stop] = states[rows]
        self._show(total, stop)

    def trim(self, positions: int) -> None:
        """Remove the first ``positions``, which are padding in every row."""
        keys, values = self._states()
        if self._room is None:
            self.keys, self.values = keys[:, :, positions:], values[:, :, positions:]
            return
        stop = self._left + keys.shape[2]
        self._left += positions
        self._show(keys.shape[0], stop)

    def _states(self) -> tuple[torch.Tensor, torch.Tensor]:
        if self.keys is None or self.values is None:
            raise RuntimeError("a layer holds nothing before its first states")
        return self.keys, self.values

    def _buffers(self) -> tuple[torch.Tensor, torch.Tensor]:
        if self._room is None:
            raise RuntimeError("a layer has no buffers before its first states")
        return self._room

    def _make_room(
        self, keys: torch.Tensor, values: torch.Tensor, *, rows: int, length: int, padding: int
    ) -> None:
        """Make buffers for ``rows`` and ``length`` positions, with room for more.

        They hold the present states, behind ``padding`` positions. ``keys`` and ``values`` give the
        other dimensions.
        """
        capacity = rows if self._room is None else max(rows, self._room[0].shape[0])
        present = self.get_seq_length()
        buffers = []
        for held, like in ((self.keys, keys), (self.values, values)):
            shape = (capacity, like.shape[1], length + max(64, length // 4), like.shape[3])
            buffer = like.new_empty(shape)
            if present and held is not None:
                buffer[: held.shape[0], :, padding : padding + present] = held
            buffers.append(buffer)
        self._room, self._left = (buffers[0], buffers[1]), 0

    def _show(self, rows: int, stop: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Let the layer hold ``rows``, up to position ``stop`` of the buffers."""
        keys, values = self._buffers()
        self.keys = keys[:rows, :, self._left : stop]
        self.values = values[:rows, :, self._left : stop]
        return self.keys, self.values


def new_cache(model: PreTrainedModel, *, source: str) -> Cache:
    """Return an empty cache for ``model``.

    Raises:
        ModelError: the model keeps a state other than keys and values per position (a recurrent
            state, for example): its rows cannot be padded on the left, nor leave the batch.
    """
    cache = DynamicCache(config=model.config)
    layers: list[Any] = []
    for layer in cache.layers:
        if type(layer) is DynamicLayer:
            layers.append(AppendingLayer())
        elif type(layer) in (DynamicSlidingWindowLayer, _STATELESS_LAYER):
            layers.append(layer)
        else:
            raise ModelError(
                f"{source!r} ({type(model).__name__}) keeps a {type(layer).__name__} state, which "
                "this loop cannot batch. Use a model with plain attention layers."
            )
    cache.layers = layers
    return cache


def join(
    cache: Cache, mask: torch.Tensor, other: Cache, other_mask: torch.Tensor, rows: torch.Tensor
) -> torch.Tensor:
    """Put ``rows`` of ``other`` behind the rows of ``cache``; return the mask of all rows.

    Masks have shape (rows, positions): 1 at tokens, 0 at padding.
    """
    for layer, new in zip(cache.layers, other.layers, strict=True):
        if not isinstance(layer, AppendingLayer) or not isinstance(new, AppendingLayer):
            raise TypeError("rows can enter a running batch only where layers keep all positions")
        layer.join(new, rows)
    width = max(mask.shape[1], other_mask.shape[1])
    return torch.cat([_padded(mask, width), _padded(other_mask[rows], width)])


def trim(cache: Cache, mask: torch.Tensor, *, multiple_of: int) -> torch.Tensor:
    """Remove positions on the left that are padding in every row; return the mask.

    Their number is a multiple of ``multiple_of``. Nothing happens if a layer does not keep all
    positions.
    """
    spare = int(mask.any(dim=0).int().argmax()) // multiple_of * multiple_of
    layers = [layer for layer in cache.layers if isinstance(layer, AppendingLayer)]
    if not spare or len(layers) < len(cache.layers):
        return mask
    for layer in layers:
        layer.trim(spare)
    return mask[:, spare:]


def _padded(mask: torch.Tensor, width: int) -> torch.Tensor:
    return torch.nn.functional.pad(mask, (width - mask.shape[1], 0))
