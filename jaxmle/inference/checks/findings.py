"""Findings: what was looked at, whether it is in order, and what to do where it is not."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was looked at: its ``name``, whether it is in order, and a sentence."""

    name: str
    ok: bool
    sentence: str


@dataclasses.dataclass(frozen=True)
class Findings:
    """What :func:`jaxmle.check` or :func:`jaxmle.diagnose` found; ``print`` shows it.

    ``ok`` says whether all is in order; ``found[name]`` is whether one thing is.
    """

    title: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether all is in order."""
        return all(finding.ok for finding in self.findings)

    @property
    def problems(self) -> list[str]:
        """The sentences of what is not in order."""
        return [finding.sentence for finding in self.findings if not finding.ok]

    def __getitem__(self, name: str) -> bool:
        """Whether the findings of that ``name`` are all in order. Raises ``KeyError`` where there is none."""
        own = [finding.ok for finding in self.findings if finding.name == name]
        if not own:
            names = ", ".join(dict.fromkeys(finding.name for finding in self.findings))
            raise KeyError(f"nothing called {name!r} was looked at; there are: {names}")
        return all(own)

    def __str__(self) -> str:
        width = max((len(finding.name) for finding in self.findings), default=0)
        lines = [f"{'ok' if f.ok else 'LOOK':<6}{f.name:<{width + 2}}{f.sentence}" for f in self.findings]
        return "\n".join([self.title, *lines])
