"""H.264 as it lies in a file (Annex B): where its parts begin, and a parameter set without timing.

x264 always writes its frame rate into the stream; many camera encoders do not. Clips that should be like
theirs have it taken out here: ITU-T H.264, 7.3.2.1.1 (sequence parameter set) and E.1.1
(``timing_info_present_flag``).
"""

from typing import Final

START_CODE: Final = b"\x00\x00\x01"
PICTURE_SLICE: Final = 1
REFRESH_SLICE: Final = 5
SEQUENCE_PARAMETER_SET: Final = 7
# Profiles whose parameter set carries the chroma format (7.3.2.1.1).
HIGH_PROFILES: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
EXTENDED_SAMPLE_ASPECT: Final = 255
TIMING_BITS: Final = 65  # num_units_in_tick, time_scale, fixed_frame_rate_flag


class _Bits:
    """Reads bits, most significant first, and remembers where it is."""

    def __init__(self, data: bytes) -> None:
        self.bits = "".join(f"{byte:08b}" for byte in data)
        self.position = 0

    def unsigned(self, count: int) -> int:
        value = int(self.bits[self.position : self.position + count], 2)
        self.position += count
        return value

    def flag(self) -> bool:
        return self.unsigned(1) == 1

    def exponential(self) -> int:
        """An unsigned Exp-Golomb number (9.1); a signed one takes the same bits."""
        zeros = 0
        while not self.flag():
            zeros += 1
        return (1 << zeros) - 1 + (self.unsigned(zeros) if zeros else 0)


def unit_offsets(stream: bytes, unit_type: int) -> list[int]:
    """Where the units of a type begin, counting from their start code's first zero."""
    offsets = []
    position = stream.find(START_CODE)
    while position >= 0 and position + 3 < len(stream):
        if stream[position + 3] & 0x1F == unit_type:
            offsets.append(position - 1 if position and stream[position - 1] == 0 else position)
        position = stream.find(START_CODE, position + 3)
    return offsets


def without_timing(stream: bytes) -> bytes:
    """The stream, with no frame rate in any of its sequence parameter sets."""
    result = bytearray()
    end = 0
    for offset in unit_offsets(stream, SEQUENCE_PARAMETER_SET):
        begin = stream.index(START_CODE, offset) + 3
        following = stream.find(START_CODE, begin)
        until = len(stream) if following < 0 else following
        # The zero before a four-byte start code belongs to that code.
        if following > 0 and stream[following - 1] == 0:
            until -= 1
        result += stream[end:begin] + _unit_without_timing(stream[begin:until])
        end = until
    return bytes(result + stream[end:])


def _unit_without_timing(unit: bytes) -> bytes:
    payload = unit.replace(b"\x00\x00\x03", b"\x00\x00")  # emulation prevention (7.4.1)
    reader = _Bits(payload)
    if not _skip_to_timing(reader):
        return unit
    at = reader.position
    if not reader.flag():
        return unit
    bits = f"{reader.bits[:at]}0{reader.bits[at + 1 + TIMING_BITS :].rstrip('0')}"
    bits += "0" * (-len(bits) % 8)
    raw = int(bits, 2).to_bytes(len(bits) // 8, "big")
    result = bytearray()
    for byte in raw:
        if byte <= 3 and result[-2:] == b"\x00\x00":
            result.append(3)
        result.append(byte)
    return bytes(result)


def _skip_to_timing(reader: _Bits) -> bool:
    """Read up to ``timing_info_present_flag``; false when the set has none."""
    reader.position = 8
    profile = reader.unsigned(8)
    reader.position += 16
    reader.exponential()  # seq_parameter_set_id
    if profile in HIGH_PROFILES:
        if reader.exponential() == 3:  # chroma_format_idc
            reader.flag()
        reader.exponential()
        reader.exponential()
        reader.flag()
        if reader.flag():  # seq_scaling_matrix_present_flag: no encoder of ours writes one
            return False
    reader.exponential()  # log2_max_frame_num_minus4
    _skip_picture_order(reader)
    reader.exponential()  # max_num_ref_frames
    reader.flag()
    reader.exponential()  # width, height
    reader.exponential()
    if not reader.flag():  # frame_mbs_only_flag
        reader.flag()
    reader.flag()
    if reader.flag():  # frame_cropping_flag
        for _ in range(4):
            reader.exponential()
    if not reader.flag():  # vui_parameters_present_flag
        return False
    _skip_usability_head(reader)
    return True


def _skip_picture_order(reader: _Bits) -> None:
    order_type = reader.exponential()
    if order_type == 0:
        reader.exponential()
    elif order_type == 1:
        reader.flag()
        reader.exponential()
        reader.exponential()
        for _ in range(reader.exponential()):
            reader.exponential()


def _skip_usability_head(reader: _Bits) -> None:
    """E.1.1 from its beginning to just before the timing."""
    if reader.flag() and reader.unsigned(8) == EXTENDED_SAMPLE_ASPECT:
        reader.position += 32
    if reader.flag():  # overscan
        reader.flag()
    if reader.flag():  # video_signal_type
        reader.position += 4
        if reader.flag():
            reader.position += 24
    if reader.flag():  # chroma_loc_info
        reader.exponential()
        reader.exponential()
