"""Which operators of a job graph have a uid: Flink's ids show it."""

from __future__ import annotations

from dataclasses import replace

from flink_jobs_provider.model.job_graph import JobGraph, Vertex, operator_id

#: The ids that Flink 2.3.0 gave the operators of DeclaredOperators, planned without chaining, with
#: --sources a:,b:b,c:
#: --operators plain:p:,keyed:count:,list:buffer:bb,list:x:,plain:print:,list:l:
SOURCES = ("bc764cd8ddf7a0cff126f51c16239658", operator_id("b"), "605b35e407e90cda15ad084365733fdd")
GRAPH = JobGraph(
    2,
    (
        Vertex(
            "b2c74e3ccb10de6173cab5d30f968cdc", ("l",), inputs=("4604644b0356241b58843ca0c9c5fa0f",)
        ),
        Vertex(
            "4604644b0356241b58843ca0c9c5fa0f",
            ("print",),
            inputs=("01357a7d4d7b874081a3846b852ff355",),
        ),
        Vertex("01357a7d4d7b874081a3846b852ff355", ("x",), inputs=(operator_id("bb"),)),
        Vertex(operator_id("bb"), ("buffer",), inputs=("fd4e4bdbb318130bc3057f3fb7365172",)),
        Vertex(
            "fd4e4bdbb318130bc3057f3fb7365172",
            ("count",),
            keyed=True,
            inputs=("4ddda4d64ab53c073189f517793f2e65",),
        ),
        Vertex("4ddda4d64ab53c073189f517793f2e65", ("p",), inputs=SOURCES),
        *(
            Vertex(each, (f"Source: {name}",), source=True)
            for each, name in zip(SOURCES, "abc", strict=True)
        ),
    ),
)


def test_operators_without_a_uid_are_known_by_their_ids() -> None:
    """Shows it of sources, of a union of three, and of operators after one with a uid."""
    names = {GRAPH.by_id[each].name for each in GRAPH.without_uid}
    assert names == {"Source: a", "Source: c", "p", "count", "x", "print", "l"}


def test_the_id_of_a_uid_is_its_hash() -> None:
    assert operator_id("b") == "eed1d3b157a9987ae9944e541e132efa"  # as Flink 2.3.0 showed it
    assert operator_id("bb") == "79bf01a92fa447fa84ae97f3316d8b1f"


def test_inputs_in_another_order_than_flink_has_hashed_them_are_recognised() -> None:
    union = replace(GRAPH.by_id["4ddda4d64ab53c073189f517793f2e65"], inputs=SOURCES[::-1])
    others = tuple(each for each in GRAPH.vertices if each.id != union.id)
    assert union.id in JobGraph(2, (*others, union)).without_uid


def test_an_id_that_is_none_of_flinks_is_of_no_place() -> None:
    assert JobGraph(1, (Vertex("source"), Vertex("count", inputs=("source",)))).without_uid == set()
