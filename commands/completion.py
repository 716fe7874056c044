"""`ekiben completion`: a shell's own script, which completes commands and options without starting Python."""

import argparse

SHELLS = ("bash", "zsh", "fish")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the shell."""
    parser.add_argument("shell", choices=SHELLS)
    parser.epilog = (
        'bash: eval "$(ekiben completion bash)" in ~/.bashrc; zsh: `ekiben completion zsh` into the file _ekiben in a '
        "folder of $fpath; fish: `ekiben completion fish | source` in config.fish"
    )


def run(options: argparse.Namespace) -> None:
    """Print the script for a shell."""
    import shtab

    from ekiben.commands.parser import build_parser

    print(shtab.complete(build_parser(), options.shell))
