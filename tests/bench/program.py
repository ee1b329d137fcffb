"""Run one of our programs in this process, with or without the compiled codec: ``python -m tests.bench.program [--pure]
ROLE``.
"""

import sys

from tests.bench.run_subject import without_compiled_codec


def main() -> int:
    """Run the role until it is stopped."""
    arguments = sys.argv[1:]
    if arguments[0] == "--pure":
        without_compiled_codec()
        del arguments[0]
    from programs.cli import main as openmeet  # imported here because the first import chooses the codec

    return openmeet(arguments)


if __name__ == "__main__":
    sys.exit(main())
