"""GitHub's discussions, which only its GraphQL API gives: each with its comments and their replies, all of them.

Checked against GitHub's guide to the GraphQL API for discussions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from muniment.errors.sources import UnexpectedAnswer
from muniment.session import Account, Session, shown
from muniment.sources.paging import as_object, follow

_COMMENT = "id body url author { login } createdAt lastEditedAt isMinimized minimizedReason upvoteCount"
_REACTIONS = "reactionGroups { content users { totalCount } }"
_PAGE = "pageInfo { hasNextPage endCursor }"
_REPLIES = f"replies(first: 50, after: $replies) {{ {_PAGE} nodes {{ {_COMMENT} {_REACTIONS} }} }}"
_COMMENTS = (
    f"comments(first: 50, after: $comments) {{ {_PAGE} nodes {{ {_COMMENT} isAnswer {_REACTIONS} {_REPLIES} }} }}"
)
_DISCUSSION = (
    "id number title body url author { login } createdAt lastEditedAt closed closedAt stateReason locked upvoteCount "
    "category { name slug isAnswerable } answer { id } answerChosenAt answerChosenBy { login } "
    f"labels(first: 100) {{ nodes {{ name }} }} {_REACTIONS} {_COMMENTS}"
)
_CURSORS = "$comments: String, $replies: String"
_ALL = (
    f"query Discussions($owner: String!, $name: String!, $after: String, {_CURSORS}) {{ "
    "repository(owner: $owner, name: $name) { "
    "discussions(first: 20, after: $after, orderBy: {field: CREATED_AT, direction: ASC}) "
    f"{{ {_PAGE} nodes {{ {_DISCUSSION} }} }} }} }}"
)
_MORE_COMMENTS = f"query Comments($id: ID!, {_CURSORS}) {{ node(id: $id) {{ ... on Discussion {{ {_COMMENTS} }} }} }}"
_MORE_REPLIES = (
    f"query Replies($id: ID!, $replies: String) {{ node(id: $id) {{ ... on DiscussionComment {{ {_REPLIES} }} }} }}"
)


@dataclass(frozen=True, slots=True)
class Discussions:
    """The discussions of one repository, read from GraphQL at `url`."""

    session: Session
    account: Account
    url: str
    owner: str
    name: str

    def __iter__(self) -> Iterator[dict[str, object]]:
        """Every discussion, with every comment and reply.

        Raises:
            ListingEndless, UnexpectedAnswer: They cannot be read to their end.
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: GitHub failed.
        """

        def turn(cursor: str) -> tuple[list[dict[str, object]], str | None]:
            found = self._ask(_ALL, owner=self.owner, name=self.name, after=cursor or None)
            return self._page(found.get("repository"), "discussions")

        for discussions, _ in follow(self.account.service, self.url, "", turn):
            for discussion in discussions:
                comments = self._whole(discussion, "comments", _MORE_COMMENTS)
                for comment in comments:
                    comment["replies"] = self._whole(comment, "replies", _MORE_REPLIES)
                yield {**discussion, "comments": comments}

    def _whole(self, parent: Mapping[str, Any], name: str, query: str) -> list[dict[str, object]]:
        """All that a connection of `parent` holds: what came with it, and the pages after that."""
        found, following = self._page(parent, name)

        def turn(cursor: str) -> tuple[list[dict[str, object]], str | None]:
            return self._page(self._ask(query, id=parent["id"], **{name: cursor}).get("node"), name)

        if following is not None:
            for more, _ in follow(self.account.service, self.url, following, turn):
                found += more
        return found

    def _page(self, parent: object, name: str) -> tuple[list[dict[str, object]], str | None]:
        connection = parent.get(name) if isinstance(parent, Mapping) else None
        if not isinstance(connection, Mapping) or not isinstance(connection.get("nodes"), list):
            raise UnexpectedAnswer(
                service=self.account.service, where=shown(self.url), reason=f"it has no list of {name}"
            )
        nodes = [as_object(node, self.account.service, self.url) for node in connection["nodes"] if node is not None]
        info = connection.get("pageInfo") or {}
        if not info.get("hasNextPage"):
            return nodes, None
        if not isinstance(info["endCursor"], str):
            raise TypeError  # no cursor to ask for the rest: see `UnexpectedAnswers`
        return nodes, info["endCursor"]

    def _ask(self, query: str, **variables: str | None) -> dict[str, object]:
        """The data of an answer. GraphQL says with status 200 too that something went wrong."""
        question = {"query": query, "variables": variables}
        answer = self.session.get(
            self.account, self.url, method="POST", body=question, what="discussions", field="repo"
        ).object()
        if answer.get("errors") or not isinstance(answer.get("data"), dict):
            said = "; ".join(
                str(each.get("message", "")) for each in answer.get("errors") or [] if isinstance(each, dict)
            )
            reason = f"it gives no discussions ({self.account.redact(said[:200]) or 'no reason given'})"
            raise UnexpectedAnswer(service=self.account.service, where=shown(self.url), reason=reason)
        return dict(answer["data"])
