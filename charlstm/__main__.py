"""``python -m charlstm`` is ``charlstm``."""

import sys

from charlstm.cli import main

sys.exit(main())
