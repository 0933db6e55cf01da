"""An archive of ``torch.save``, looked through before ``torch.load`` may see it; no torch.

``weights_only`` executes nothing, but would still be led to fill the memory: by compressed
members, by a pickle of empty lists, by calls such as ``bytearray(10**12)``. What this module
lets through has nothing but tensors and plain values, no larger than the file.
"""

import io
import pickletools
import zipfile
from typing import BinaryIO

BLOCK_BYTES = 1 << 20
MOST_MEMBERS = 1 << 15  # one for each tensor; a thousand layers have 25,000
MOST_PICKLE_BYTES = 16 << 20  # most of it the names of the corpus's files
MOST_OPERATIONS = 1 << 20  # of the pickle; a thousand layers need nearly all of them
ENTRY_MARK = b"PK\x01\x02"  # begins each entry of a zip archive's directory
PICKLE = "data.pkl"
# All that a state calls upon: how a tensor is built, and the types of its numbers.
GLOBALS = {
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch BFloat16Storage",
    "torch ByteStorage",
    "torch FloatStorage",
}


def looked_through(file: BinaryIO, size: int) -> BinaryIO:
    """A copy of the archive in ``file``, which has ``size`` bytes, once its members are sound.

    A copy, since zip readers disagree about archives made to deceive them: torch's reader gets
    what this one has seen. Raises ValueError and whatever zipfile and pickletools raise.
    """
    if file.read(4) != b"PK\x03\x04":
        raise ValueError("not an archive of torch.save")
    file.seek(0)
    entries = sum(block.count(ENTRY_MARK) for block in iter(lambda: file.read(BLOCK_BYTES), b""))
    if entries > MOST_MEMBERS:
        raise ValueError(f"{entries:,} members")
    copy = io.BytesIO()
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(copy, "w") as sound:
        members = archive.infolist()
        # Lower case, since torch's reader makes no difference.
        if len({member.filename.lower() for member in members}) < len(members):
            raise ValueError("two members of one name")
        if sum(member.file_size for member in members) > size:
            raise ValueError("members larger than the file")
        for member in members:
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"compressed member {member.filename}")
            pickled = member.filename.lower().endswith(PICKLE)
            if pickled and member.file_size > MOST_PICKLE_BYTES:
                raise ValueError(f"a pickle of {member.file_size:,} bytes")
            data = archive.read(member)  # compares the checksum, which torch does not
            if pickled:
                _look_through(data)
            sound.writestr(zipfile.ZipInfo(member.filename), data)
    copy.seek(0)
    return copy


def _look_through(pickle: bytes) -> None:
    """Raise ValueError for a pickle that is too long, or calls upon what no state needs.

    Other operations that call upon things are unknown to torch's reader.
    """
    for number, (operation, argument, _) in enumerate(pickletools.genops(pickle)):
        if number == MOST_OPERATIONS:
            raise ValueError(f"a pickle of more than {MOST_OPERATIONS:,} operations")
        if operation.name == "GLOBAL" and argument not in GLOBALS:
            raise ValueError(f"calls upon {str(argument).replace(' ', '.', 1)}")
