"""What each command of `keras-lap` consists of."""

import abc
import textwrap


class Command(abc.ABC):
    """A command of `keras-lap`.

    Attributes:
        name: What it is called on the command line.
        summary: What it does, in half a sentence.
        details: More about it, in sentences, for its own `--help`.
        examples: Tuple of command lines that work as they stand.
    """

    name: str
    summary: str
    details: str = ""
    examples: tuple[str, ...]

    def description(self):
        """Summary and details, in lines for a terminal."""
        text = f"{self.summary[0].upper()}{self.summary[1:]}. {self.details}"
        return textwrap.fill(text, 78)

    def epilog(self):
        """The examples, in lines for a terminal."""
        wrapped = (
            textwrap.wrap(
                line,
                76,
                initial_indent="  ",
                subsequent_indent="      ",
                break_long_words=False,
                break_on_hyphens=False,
            )
            for line in self.examples
        )
        return "\n".join(["examples:", *(" \\\n".join(lines) for lines in wrapped)])

    @abc.abstractmethod
    def add_arguments(self, parser):
        """Adds what the command takes to an `argparse.ArgumentParser`."""

    @abc.abstractmethod
    def run(self, options):
        """Runs the command.

        Args:
            options: Namespace of what `add_arguments` has asked for.

        Raises:
            Exception: Whatever goes wrong; its message is for the user.
        """
