"""What a browser does without scripts: opens a page, fills fields that are on it, presses a button that is on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from django.test import Client

from batconnect.common.models import User

_NOT_SENT = ("submit", "button", "reset", "image")


@dataclass
class Button:
    name: str
    value: str
    disabled: bool
    words: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        return " ".join(" ".join(self.words).split())


@dataclass
class Form:
    """A form as it stands on a page: what it would send untouched, and the buttons that send it."""

    method: str
    action: str
    sent: dict[str, Any] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    buttons: list[Button] = field(default_factory=list)


class _Reader(HTMLParser):
    """The forms of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.words: list[str] = []
        self._form: Form | None = None
        self._button: Button | None = None
        self._select = ""
        self._area = ""
        self._skips = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._skips = self._skips or tag in ("script", "style")
        if tag == "form":
            self._form = Form(given.get("method", "get").lower(), given.get("action", ""))
            self.forms.append(self._form)
        elif self._form is not None:
            self._in_form(self._form, tag, given)

    def _in_form(self, form: Form, tag: str, given: Mapping[str, str]) -> None:
        name, off = given.get("name", ""), "disabled" in given
        if tag == "button":
            if given.get("type", "submit") == "submit":
                self._button = Button(name, given.get("value", ""), off)
                form.buttons.append(self._button)
        elif off or not (name or tag == "option"):
            return
        elif tag == "input" and given.get("type") == "file":
            form.files.add(name)
        elif tag == "input" and given.get("type", "text") not in _NOT_SENT:
            if given.get("type") not in ("checkbox", "radio") or "checked" in given:
                form.sent[name] = given.get("value", "")
        elif tag == "select":
            self._select, form.sent[name] = name, None
        elif tag == "textarea":
            self._area, form.sent[name] = name, ""
        elif tag == "option" and self._select and (form.sent[self._select] is None or "selected" in given):
            form.sent[self._select] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._skips = False
        elif tag == "form":
            self._form = None
        elif tag == "button":
            self._button = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._skips:
            return
        self.words.append(data)
        if self._button is not None:
            self._button.words.append(data)
        elif self._area and self._form is not None:
            self._form.sent[self._area] += data.removeprefix("\n")


class Browser:
    """Somebody logged in, before one page at a time."""

    def __init__(self, user: User) -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.client.force_login(user)
        self.address = ""
        self.text = ""
        self.forms: list[Form] = []

    def open(self, address: str, **query: str) -> "Browser":
        self._show(self.client.get(address, query, follow=True))
        return self

    def press(self, label: str, **typed: Any) -> "Browser":
        """Fill in what is typed and press the button whose label begins so. Both have to be on the page, once."""
        found = [
            (form, button)
            for form in self.forms
            for button in form.buttons
            if button.label.startswith(label) and not button.disabled
        ]
        assert len(found) == 1, f"{label!r} is {len(found)} times on {self.address}:\n{self.text}"
        ((form, button),) = found
        missing = typed.keys() - form.sent.keys() - form.files
        assert not missing, f"no field {missing} on {self.address}; there are {sorted(form.sent)}"
        sent = {name: value for name, value in form.sent.items() if value is not None} | typed
        if button.name:
            sent[button.name] = button.value
        send = self.client.post if form.method == "post" else self.client.get
        self._show(send(form.action or self.address, sent, follow=True))
        return self

    def _show(self, answer: Any) -> None:
        request = answer.request
        query = f"?{request['QUERY_STRING']}" if request["QUERY_STRING"] else ""
        self.address = request["PATH_INFO"] + query
        assert answer.status_code == 200, f"{answer.status_code} at {self.address}"
        reader = _Reader()
        reader.feed(answer.content.decode())
        self.forms, self.text = reader.forms, " ".join(" ".join(reader.words).split())
