"""Items form a tree; one path through it is the conversation."""

from gateway.core import events as ev
from gateway.core.ids import DeviceId, ItemId, ResponseId
from gateway.core.tree import Node, Tree

A, B, C, D = ItemId("a"), ItemId("b"), ItemId("c"), ItemId("d")


def grown(*items: ItemId) -> Tree:
    """A tree that is one path."""
    tree = Tree()
    for item_id in items:
        tree.add(ev.ItemAdded(item_id, tree.tip, "user", "completed"))
    return tree


def path(tree: Tree) -> list[ItemId]:
    """The active path's ids."""
    return [node.item_id for node in tree.path()]


def test_an_empty_conversation_has_no_path() -> None:
    assert path(Tree()) == []
    assert Tree().follower(None) is None


def test_a_node_knows_its_item_but_not_its_words() -> None:
    tree = Tree()
    tree.add(ev.ItemAdded(A, None, "assistant", "in_progress", "secret", False, DeviceId("phone"), ResponseId("r")))
    assert tree.nodes[A] == Node(A, None, "assistant", "in_progress", False, DeviceId("phone"), ResponseId("r"))
    assert "secret" not in repr(tree)


def test_the_path_runs_from_the_root_to_the_tip() -> None:
    tree = grown(A, B, C)
    assert path(tree) == [A, B, C]
    assert [tree.follower(at) for at in (None, A, B, C)] == [A, B, C, None]


def test_an_item_in_mid_path_takes_over_the_follower_it_names() -> None:
    tree = grown(A, B)
    tree.add(ev.ItemAdded(C, A, "user", "completed", before=B))
    tree.add(ev.ItemAdded(D, None, "user", "completed", before=A))
    assert path(tree) == [D, A, C, B]
    assert tree.tip == B


def test_an_item_beside_the_path_becomes_the_active_one() -> None:
    tree = grown(A, B)
    tree.add(ev.ItemAdded(C, A, "user", "completed"))
    assert path(tree) == [A, C]
    assert tree.nodes[B].parent == A


def test_what_followed_a_removed_item_follows_its_parent() -> None:
    tree = grown(A, B, C)
    tree.add(ev.ItemAdded(D, B, "user", "completed"))
    tree.remove(B)
    assert path(tree) == [A, D]
    assert tree.nodes[C].parent == A


def test_the_tip_moves_back_when_it_is_removed() -> None:
    tree = grown(A, B)
    tree.remove(B)
    assert path(tree) == [A]
    tree.remove(A)
    assert (path(tree), tree.tip, tree.nodes) == ([], None, {})


# siblings


def beside(tree: Tree, item_id: ItemId, parent: ItemId | None) -> None:
    """An item joins beside the active path."""
    tree.add(ev.ItemAdded(item_id, parent, "user", "completed", aside=True))


def test_an_item_that_joins_aside_leaves_the_path_as_it_is() -> None:
    tree = grown(A, B)
    assert tree.choices() == {}
    beside(tree, C, A)
    assert path(tree) == [A, B]
    assert tree.choices() == {B: (B, C)}
    assert (tree.active(B), tree.active(C)) == (True, False)
    assert tree.follower(C) is None


def test_the_path_ends_where_it_is_told_to_and_a_branch_is_found_again_where_it_was_left() -> None:
    tree = grown(A, B, C)
    beside(tree, D, A)
    tree.select(D)
    assert path(tree) == [A, D]
    assert tree.choices() == {D: (B, D)}
    assert tree.leaf(B) == C
    tree.select(tree.leaf(B))
    assert path(tree) == [A, B, C]


def test_a_branch_that_was_never_active_ends_with_its_newest_items() -> None:
    tree = grown(A, B)
    for item_id in (C, D):
        beside(tree, item_id, B)
    assert tree.leaf(A) == D


def test_an_empty_path_has_a_first_message_to_go_back_to() -> None:
    tree = grown(A, B)
    tree.select(None)
    assert (path(tree), tree.follower(None)) == ([], None)
    tree.select(tree.leaf(A))
    assert path(tree) == [A, B]


def test_siblings_are_counted_anew_when_one_is_removed() -> None:
    tree = grown(A, B)
    beside(tree, C, A)
    tree.remove(C)
    assert (tree.choices(), tree.forks) == ({}, set())


def test_the_followers_of_a_removed_item_become_siblings_of_its_own() -> None:
    tree = grown(A, B)
    beside(tree, C, A)
    beside(tree, D, B)
    tree.remove(B)
    assert path(tree) == [A]
    assert tree.children[A] == [D, C]


def test_reactions_are_kept_by_who_gave_them() -> None:
    tree = grown(A)
    phone, laptop = DeviceId("phone"), DeviceId("laptop")
    for who, count in ((phone, 1), (laptop, 2)):
        tree.react(ev.ReactionAdded(A, "+1", who, count))
    assert tree.nodes[A].reactions == {"+1": (phone, laptop)}
    tree.react(ev.ReactionRemoved(A, "+1", phone, 1))
    tree.react(ev.ReactionRemoved(A, "+1", laptop, 0))
    assert tree.nodes[A].reactions == {}
