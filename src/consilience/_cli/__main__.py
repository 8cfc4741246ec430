"""``python -m consilience._cli``."""

import sys

from consilience._cli import main

sys.exit(main())
