"""The figures of a run in the form that TensorBoard reads: an event file in its directory.

It has what the metrics have, and no more. So a resumed run makes a new file from them and empties
the one before: each step is there once, and what a crash or a full disk took comes back. The
package's own writer is not used, since it writes in a thread whose errors reach nobody. Only this
module imports tensorboard.
"""

import errno
import os
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

from charlstm.errors import TrainingError
from charlstm.files import append_all, regular_size
from charlstm.training.config import Common

DIRECTORY = "tensorboard"  # in that of the run
NAME = "events.out.tfevents.{time:.6f}.charlstm"  # TensorBoard reads names with "tfevents"
FIGURES = ("loss", "val_loss", "learning_rate", "characters_per_second")
INDENT = "    "  # TensorBoard reads texts as Markdown; a line so far in is shown as it is


def check_tensorboard(config: Common) -> None:
    """Raise TrainingError if a run is to have an event file, but tensorboard cannot be imported."""
    if not config.tensorboard:
        return
    try:
        from tensorboard.compat.proto import event_pb2  # noqa: F401
        from tensorboard.summary.writer import record_writer  # noqa: F401
    except MemoryError:
        raise
    except Exception as error:  # protobuf of another version raises TypeError
        fault = f"tensorboard cannot be imported: {' '.join(str(error).split())}"
        raise TrainingError(fault, "no tensorboard") from error


class TensorBoardFile:
    """The event file of one process of a run. What is added waits until it is written."""

    def __init__(self, run: Path, began: float) -> None:
        """``began`` is when the run began, by the time of day, if it was never stopped."""
        self._path = run / DIRECTORY / NAME.format(time=time.time())
        self._began = began
        self._head = _head(began)
        self._waiting = b""

    def add(self, line: Mapping[str, Any]) -> None:
        """Let the figures and the sample of a line of the metrics be written next."""
        self._waiting += _record(_event(line, self._began))

    def write(self) -> None:
        """Write what waits, all of it or nothing; raises OSError, and it goes on waiting then.

        With the first write the files of earlier processes are emptied. They are removed only once
        they are empty: an open TensorBoard never leaves a file that is gone for the next one.
        """
        if not self._waiting:
            return
        directory = self._path.parent
        with suppress(FileExistsError):
            directory.mkdir()
        if not stat.S_ISDIR(directory.lstat().st_mode):  # a link may lead anywhere
            raise NotADirectoryError(errno.ENOTDIR, "is not a directory", str(directory))
        append_all(self._path, self._head + self._waiting)
        self._waiting = b""
        if self._head:
            self._head = b""
            for path in directory.glob(NAME.replace("{time:.6f}", "*")):
                if path != self._path:
                    with suppress(OSError):
                        if regular_size(path, follow=False):
                            os.truncate(path, 0)
                        else:
                            path.unlink()


def _head(began: float) -> bytes:
    """The records that a file begins with.

    The second tells a TensorBoard that is open to forget what it read from the file before.
    """
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog

    start = SessionLog(status=SessionLog.START)
    return _record(Event(wall_time=began, file_version="brain.Event:2")) + _record(
        Event(wall_time=began, step=0, session_log=start)
    )


def _event(line: Mapping[str, Any], began: float) -> Any:
    """A line of the metrics as one event; what the line does not say is left out.

    Its time is that of the run, so that the horizontal axis of TensorBoard shows no stops.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING
    from tensorboard.plugins.text.metadata import create_summary_metadata

    values = [
        Summary.Value(tag=name, simple_value=line[name])
        for name in FIGURES
        if line.get(name) is not None
    ]
    if line.get("sample") is not None:
        text = "\n".join(INDENT + part for part in line["sample"].split("\n"))
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
        tensor = TensorProto(dtype=DT_STRING, tensor_shape=shape, string_val=[text.encode()])
        metadata = create_summary_metadata(display_name=None, description=None)
        values.append(Summary.Value(tag="sample", metadata=metadata, tensor=tensor))
    seconds = line.get("seconds") or 0.0
    return Event(wall_time=began + seconds, step=line["step"], summary=Summary(value=values))


def _record(event: Any) -> bytes:
    """An event in the format of event files: its size, its bytes, and a checksum of each."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    written = BytesIO()
    RecordWriter(written).write(event.SerializeToString())
    return written.getvalue()
