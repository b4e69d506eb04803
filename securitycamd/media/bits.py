"""Reading the bit syntax of H.264 headers (ITU-T H.264, clauses 7.2, 7.4.1 and 9.1)."""


class BitsEndError(Exception):
    """The header ends before the value that was asked for."""


class BitReader:
    """Reads a NAL unit's payload, bit by bit, most significant first."""

    def __init__(self, payload: bytes) -> None:
        # Emulation prevention: an encoder writes 00 00 03 where the payload has 00 00.
        raw = payload.replace(b"\x00\x00\x03", b"\x00\x00")
        self._value = int.from_bytes(raw, "big")
        self._left = len(raw) * 8

    def bits(self, count: int) -> int:
        """The next ``count`` bits as an unsigned number, ``u(n)``.

        Raises:
            BitsEndError: there are not so many.
        """
        if count > self._left:
            raise BitsEndError
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def flag(self) -> bool:
        """The next bit."""
        return self.bits(1) == 1

    def unsigned(self) -> int:
        """The next Exp-Golomb number, ``ue(v)``.

        Raises:
            BitsEndError: it is not all there, or longer than the standard allows.
        """
        # As many zeros as there are before the first one, then one more bit and as many again: the number plus one.
        rest = self._value & ((1 << self._left) - 1)
        zeros = self._left - rest.bit_length()
        if zeros > 32 or self._left < 2 * zeros + 1:
            raise BitsEndError
        self._left -= 2 * zeros + 1
        return (rest >> self._left) - 1

    def signed(self) -> int:
        """The next signed Exp-Golomb number, ``se(v)``."""
        number = self.unsigned()
        return (number + 1) // 2 if number % 2 else -(number // 2)
