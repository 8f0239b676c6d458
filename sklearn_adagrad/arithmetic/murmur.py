"""MurmurHash3 with 32 bits, of text that lies in a larger buffer.

A name is hashed as ``field=value``. The beginning ``field=`` is the same for all values of a
field: what the hash has seen by then is kept as a ``Prefix``, and every value goes on from there.

Source: Austin Appleby, MurmurHash3_x86_32 (public domain), with seed 0, which is what
scikit-learn's ``FeatureHasher`` computes.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from .arrays import pointer_to
from .jit import emits, inlined
from .lanes import index

_ONE, _TWO = np.uint32(0xCC9E2D51), np.uint32(0x1B873593)
_FIVE, _PLUS = np.uint32(5), np.uint32(0xE6546B64)
_LAST_ONE, _LAST_TWO = np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35)
WORD = 4  # bytes
SHORT = 8


class Prefix(NamedTuple):
    """What the hash has seen: ``length`` bytes, of which ``rest`` are not yet a word of four."""

    hash: np.uint32
    rest: np.uint64
    length: np.int64


def load_word(data, first):
    """``data[first : first + 4]`` as one number."""
    return np.uint32(int.from_bytes(data[first : first + WORD].tobytes(), "little"))


def load_words(data, first):
    """``data[first : first + 8]`` as one number."""
    return np.uint64(int.from_bytes(data[first : first + 2 * WORD].tobytes(), "little"))


def _loads(number):
    def define(data, first):
        def emit(context, builder, args):
            at = index(context, builder, first, args[1])
            kind = context.get_value_type(number)
            pointer, _ = pointer_to(context, builder, data, args[0], at, kind)
            return builder.load(pointer, align=1)

        return number, emit

    return define


emits(load_word)(_loads(types.uint32))
emits(load_words)(_loads(types.uint64))


@inlined
def _rotated(x, n):
    return np.uint32((x << np.uint32(n)) | (x >> np.uint32(32 - n)))


@inlined
def _scrambled(word):
    return np.uint32(_rotated(np.uint32(word * _ONE), 15) * _TWO)


@inlined
def mixed(value, word):
    """The hash after one more word."""
    return np.uint32(_rotated(np.uint32(value ^ _scrambled(word)), 13) * _FIVE + _PLUS)


@inlined
def finished(value, length):
    """The hash of all ``length`` bytes."""
    value = np.uint32(value ^ np.uint32(length))
    value = np.uint32((value ^ (value >> np.uint32(16))) * _LAST_ONE)
    value = np.uint32((value ^ (value >> np.uint32(13))) * _LAST_TWO)
    return np.uint32(value ^ (value >> np.uint32(16)))


@inlined
def hash_of(prefix, data, first, last):
    """The hash of what ``prefix`` stands for, followed by ``data[first:last]``."""
    value, rest, shift = prefix.hash, prefix.rest, np.uint64((prefix.length & 3) << 3)
    at = first
    while at + WORD <= last:
        rest = np.uint64(rest | (np.uint64(load_word(data, at)) << shift))
        value = mixed(value, np.uint32(rest))
        rest = np.uint64(rest >> np.uint64(32))
        at += WORD
    left = last - at
    if at + WORD <= len(data):
        kept = np.uint64((1 << (left << 3)) - 1)
        rest = np.uint64(rest | ((np.uint64(load_word(data, at)) & kept) << shift))
    else:
        for k in range(left):
            rest = np.uint64(
                rest | (np.uint64(data[at + k]) << np.uint64(shift + np.uint64(k << 3)))
            )
    if (prefix.length & 3) + left >= WORD:
        value = mixed(value, np.uint32(rest))
        rest = np.uint64(rest >> np.uint64(32))
    value = np.uint32(value ^ _scrambled(np.uint32(rest)))
    return finished(value, prefix.length + last - first)


@inlined
def short_text(data, first, last):
    """``data[first:last]`` as one number and whatever follows; of a longer text the beginning."""
    if first + SHORT <= len(data):
        return load_words(data, first)
    words = np.uint64(0)
    for k in range(last - first):
        words |= np.uint64(data[first + k]) << np.uint64(k << 3)
    return words


@inlined
def hash_of_short(prefix, text, length):
    """The hash of what ``prefix`` stands for, followed by a ``short_text`` of up to 8 bytes.

    There is no branch in it: a compiler makes vectors of many of them.
    """
    half = np.uint64(length) << np.uint64(2)  # in two steps: a shift by all 64 bits is none
    text &= ((np.uint64(1) << half) << half) - np.uint64(1)
    n_rest = np.uint64(prefix.length) & np.uint64(WORD - 1)
    shift = n_rest << np.uint64(3)
    low, high = prefix.rest | (text << shift), (text >> np.uint64(1)) >> (np.uint64(63) - shift)
    one, two, three = np.uint32(low), np.uint32(low >> np.uint64(32)), np.uint32(high)
    once = mixed(prefix.hash, one)
    twice = mixed(once, two)
    n_bytes = n_rest + np.uint64(length)
    has_one, has_two = n_bytes >= np.uint64(WORD), n_bytes >= np.uint64(2 * WORD)
    value = twice if has_two else (once if has_one else prefix.hash)
    rest = three if has_two else (two if has_one else one)
    return finished(
        np.uint32(value ^ _scrambled(rest)), np.uint64(prefix.length) + np.uint64(length)
    )


def prefix_of(name):
    """The ``Prefix`` of the bytes ``name``."""
    value = np.uint32(0)
    with np.errstate(over="ignore"):
        for at in range(0, len(name) - len(name) % WORD, WORD):
            value = mixed(value, np.uint32(int.from_bytes(name[at : at + WORD], "little")))
    rest = name[len(name) - len(name) % WORD :]
    return Prefix(value, np.uint64(int.from_bytes(rest, "little")), len(name))
