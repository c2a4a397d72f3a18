"""Layers by the names that lead to them."""

from keras_lap.utils.names import check_names


class Addresses:
    """Finds layers by address.

    An address is the path to a layer: the names of the nested models it is in and its
    own, as a tuple or joined by slashes. The last name alone will do where it is
    unique. Where several layers have it that is an error, unlike for `find_layers`: it
    would not be seen that one of them was changed by mistake. Addresses are compared
    as a whole, so names may hold any character.

    Args:
        what: What the addresses stand for, for messages.
        entries: Pairs of a path, a tuple of names, and a layer that is there. Several
            layers may have one path.
    """

    def __init__(self, what, entries):
        self._what = what
        self._entries = [(path, "/".join(path), layer) for path, layer in entries]

    def find(self, address):
        """The layers at an address.

        Args:
            address: A string or a tuple of strings.

        Raises:
            TypeError: If it is neither.
            ValueError: If nothing is there, with near names, or if a single name is
                that of several layers, with their paths.
        """
        joined = self._joined(address)
        found = [entry for entry in self._entries if entry[1] == joined]
        found = found or [entry for entry in self._entries if entry[0][-1] == joined]
        paths = sorted({path for _, path, _ in found})
        if len(paths) > 1:
            raise ValueError(
                f"Expected {self._what}. Received: {joined!r}, which is the name of "
                f"several. Say which one: {paths}"
            )
        if not found:
            known = [
                name for path, joined, _ in self._entries for name in (joined, path[-1])
            ]
            check_names(self._what, [joined], list(dict.fromkeys(known)))
        return [layer for _, _, layer in found]

    def _joined(self, address):
        names = (address,) if isinstance(address, str) else address
        if isinstance(names, tuple) and all(isinstance(name, str) for name in names):
            return "/".join(names)
        raise TypeError(
            f"Expected {self._what}, as strings or tuples of strings. "
            f"Received: {address!r} of type {type(address).__name__}"
        )
