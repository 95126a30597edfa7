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
