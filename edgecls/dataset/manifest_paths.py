r"""Find the picture files that a manifest refers to.

The paths in a manifest are often those of another machine, or lack a folder or the extension. So these are tried in order:

- the path as written, relative to the folder of the manifest, then to the top folder of the data; also with `/` for `\`;
- for an absolute path, such as C:\data\Train\0\1.png: its last parts, as many of them as exist;
- for a relative path: the only picture of the data whose path ends with it, with or without the extension. If there are
  several, those below a folder with the name of the manifest or of its part come first.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from edgecls.dataset.items import SPLIT_NAMES
from edgecls.dataset.listing import is_file, pictures_under
from edgecls.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ELSEWHERE = re.compile(r"/|[A-Za-z]:/|\.\./")


class PictureFinder:
    """Finds the pictures of the data by their paths in manifests.

    Attributes:
        guessed: The absolute paths that were found by their last parts.
    """

    GUESSED = "paths of another machine, found by their last parts"

    def __init__(self, root: Path) -> None:
        """Search below `root`, the top folder of the data."""
        self._root = root
        self.guessed: list[str] = []

    def find(self, manifest: Path, value: str, part: str, where: str) -> Path:
        """Return the file that a row of a manifest refers to.

        Args:
            manifest: The path of the manifest.
            value: The path in the row.
            part: The part of the manifest; "" if none.
            where: The manifest and line, for error messages.

        Raises:
            DataError: There is no such picture, or several.
        """
        forward = value.replace("\\", "/")
        for path in dict.fromkeys((value, forward)):
            for folder in dict.fromkeys((manifest.parent, self._root)):
                if is_file(folder / path):
                    return folder / path
        tails = self._tails(manifest, forward) if _ELSEWHERE.match(forward) else ()
        found = next((path for path in tails if is_file(path)), None) or self._unique_match(manifest, forward, part, where)
        if found is None:
            raise DataError(f"{where}: the picture {manifest.parent / value} does not exist")
        if _ELSEWHERE.match(forward):
            self.guessed.append(value)
        return found

    def _tails(self, manifest: Path, path: str) -> Iterator[Path]:
        parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
        for i in range(len(parts)):
            yield from (folder.joinpath(*parts[i:]) for folder in dict.fromkeys((manifest.parent, self._root)))

    def _unique_match(self, manifest: Path, path: str, part: str, where: str) -> Path | None:
        """Return the only picture whose path ends with a relative path; None if there is none."""
        parts = PurePosixPath(path).parts
        if not parts or _ELSEWHERE.match(path):
            return None
        matches = [file for file in self._by_name[parts[-1]] if file.parts[-len(parts) : -1] == parts[:-1]]
        preferred = [file for file in matches if self._is_in_folder_of(file, part, manifest.stem.lower())]
        matches = preferred or matches
        if len(matches) > 1:
            raise DataError(f"{where}: {path} may be {matches[0]} or {matches[1]}; write the full path in the manifest")
        return matches[0] if matches else None

    def _is_in_folder_of(self, file: Path, part: str, stem: str) -> bool:
        """Return whether a picture is below a folder with the name `stem`, or with a name of `part`."""
        folders = [folder.lower() for folder in file.relative_to(self._root).parts[:-1]]
        return any(folder == stem or (part and SPLIT_NAMES.get(folder) == part) for folder in folders)

    @cached_property
    def _by_name(self) -> defaultdict[str, list[Path]]:
        """All pictures of the data, by name with and without the extension."""
        files: defaultdict[str, list[Path]] = defaultdict(list)
        for file in pictures_under(self._root):
            files[file.name].append(file)
            files[file.stem].append(file)
        return files
