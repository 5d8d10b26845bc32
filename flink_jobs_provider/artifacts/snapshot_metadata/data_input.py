"""Java's DataInput over bytes, within bounds: every count is checked against what is left."""

from __future__ import annotations

import struct
from typing import Final

from flink_jobs_provider.model.errors import Signal

_INT: Final = struct.Struct(">i")
_LONG: Final = struct.Struct(">q")
_SHORT: Final = struct.Struct(">H")


class MetadataError(Signal):
    """Bytes that are not what Flink writes; the text is the reason, in one line.

    Args:
        offset: The position in the file of what was not expected.
        expected: What should be there.
        found: What is there instead.
    """

    def __init__(self, offset: int, expected: str, found: str) -> None:
        super().__init__(f"at byte {offset}: expected {expected}, found {found}")
        self.offset = offset
        self.expected = expected
        self.found = found


class CutOff(MetadataError):
    """The bytes end too early."""

    def __init__(self, offset: int, expected: str, left: int) -> None:
        super().__init__(offset, expected, f"{left} bytes before the end" if left else "the end")


class DataInput:
    """Reads values as Java's DataOutputStream writes them.

    Each read names what it expects, for the error.

    Raises:
        CutOff: The bytes end too early.
        MetadataError: A value is impossible.
    """

    def __init__(self, data: bytes, offset: int = 0) -> None:
        self._data = data
        self._end = len(data)
        self.offset = offset

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return self._end - self.offset

    def skip(self, size: int, expected: str) -> int:
        """Skip bytes, and return where they begin."""
        begin = self.offset
        if size > self._end - begin:
            raise CutOff(begin, expected, self._end - begin)
        self.offset = begin + size
        return begin

    def take(self, size: int, expected: str) -> bytes:
        """Return the next bytes."""
        begin = self.skip(size, expected)
        return self._data[begin : begin + size]

    def byte(self, expected: str) -> int:
        """Return an unsigned byte."""
        return self._data[self.skip(1, expected)]

    def peek(self, expected: str) -> int:
        """Return the next byte, and stay before it."""
        found = self.byte(expected)
        self.offset -= 1
        return found

    def short(self, expected: str) -> int:
        """Return an unsigned number of 16 bits."""
        found: int = _SHORT.unpack_from(self._data, self.skip(2, expected))[0]
        return found

    def int32(self, expected: str) -> int:
        """Return a number of 32 bits."""
        found: int = _INT.unpack_from(self._data, self.skip(4, expected))[0]
        return found

    def int64(self, expected: str) -> int:
        """Return a number of 64 bits."""
        found: int = _LONG.unpack_from(self._data, self.skip(8, expected))[0]
        return found

    def positive(self, expected: str) -> int:
        """Return a number of 32 bits that is above zero."""
        begin = self.offset
        found = self.int32(expected)
        if found <= 0:
            raise MetadataError(begin, expected, str(found))
        return found

    def size(self, expected: str) -> int:
        """Return a size of 64 bits, which is not negative."""
        begin = self.offset
        found = self.int64(expected)
        if found < 0:
            raise MetadataError(begin, expected, str(found))
        return found

    def count(self, expected: str, each: int = 1, most: int = 2**31) -> int:
        """Return how many of something follow, each of which takes at least `each` bytes.

        There may be `most`: of what is kept, more than Flink writes would fill the memory.
        """
        begin = self.offset
        found = self.int32(expected)
        if found < 0:
            raise MetadataError(begin, expected, str(found))
        if found > most:
            raise MetadataError(begin, f"{expected}, {most} at most", str(found))
        if found * each > self._end - self.offset:
            raise CutOff(begin, f"{expected} ({found} of at least {each} bytes)", self.left)
        return found

    def skip_array(self, expected: str, each: int) -> int:
        """Skip a count and as many values of one size, and return the bytes of the values."""
        size = self.count(expected, each) * each
        self.skip(size, expected)
        return size

    def text(self, expected: str) -> str:
        """Return a text in Java's modified UTF-8."""
        begin = self.offset
        data = self.take(self.short(expected), expected)
        try:
            if data.isascii():
                return data.decode("ascii")
            units = data.replace(b"\xc0\x80", b"\0").decode("utf-8", "surrogatepass")
            return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            raise MetadataError(begin, expected, "no text") from None

    def skip_text(self, expected: str) -> None:
        """Skip a text."""
        self.skip(self.short(expected), expected)
