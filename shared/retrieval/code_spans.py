"""Where Markdown is code, character by character: https://spec.commonmark.org/0.31.2/#code-spans and #fenced-code-blocks.

As much of it as a stream can know: a span that is never closed counts as code up to the end of its paragraph.
"""

_FENCE_CHARACTERS = 3


class CodeSpans:
    """The code of one text. Indented blocks are not recognized: without the rest of Markdown nobody knows a list from them."""

    def __init__(self) -> None:
        """Begin outside of code, at the start of a line."""
        self._fence = ""
        """The run that opened the block of code; '' outside of one."""
        self._is_info_line = False
        """The line that opened the block has not ended: another backtick in it makes the run that of a span."""
        self._span = 0
        """How many backticks opened the span; 0 outside of one."""
        self._run = ""
        self._starts_line = True
        self._run_starts_line = False
        self._is_blank = True

    def is_code(self, character: str) -> bool:
        """Take the next character; return whether it is in code."""
        if self._run and character == self._run[0]:
            self._run += character
            return True
        if self._run:
            self._end_run()
        if character in "`~":
            self._run, self._run_starts_line = character, self._starts_line
            self._starts_line = self._is_blank = False
            return True
        if character == "\n":
            self._end_line()
        elif character not in " \t\r":
            self._starts_line = self._is_blank = False
        return bool(self._fence or self._span)

    def _end_line(self) -> None:
        if self._is_blank:
            self._span = 0
        self._is_info_line = False
        self._starts_line = self._is_blank = True

    def _end_run(self) -> None:
        run, self._run = self._run, ""
        if self._fence:
            if self._is_info_line and run[0] == self._fence[0] == "`":
                self._span = 0 if len(run) == len(self._fence) else len(self._fence)
                self._fence = ""
            elif self._run_starts_line and run.startswith(self._fence):
                self._fence = ""
        elif self._run_starts_line and len(run) >= _FENCE_CHARACTERS and not self._span:
            self._fence, self._is_info_line = run, True
        elif run[0] == "`":
            self._toggle_span(len(run))

    def _toggle_span(self, length: int) -> None:
        if self._span == 0:
            self._span = length
        elif self._span == length:
            self._span = 0
