"""The inventory of a run, read from the log of its server and compared with another run."""

from pathlib import Path

from checks.inventory import Inventory

from checks import inventory

LOG = """\
1772366400.125|openmeet_tests_17|[unknown]|LOG:  00000: database system is ready to accept connections
1772366400.125|openmeet_tests_17|[unknown]|LOCATION:  reaper, postmaster.c:2778
1772366400.125|openmeet_tests_17|[unknown]|LOG:  00000: statement: begin; set local search_path to "t_17_4"
1772366400.125|openmeet_tests_17|[unknown]|LOCATION:  exec_simple_query, postgres.c:1078
1772366400.125|openmeet_tests_17|[unknown]|LOG:  00000: execute __asyncpg_stmt_3__: insert into places (id,
\tname) values ($1, $2)
1772366400.125|openmeet_tests_17|[unknown]|DETAIL:  parameters: $1 = '7', $2 = 'LOG:  00000: statement: select 1'
1772366400.125|openmeet_tests_17|[unknown]|LOCATION:  exec_execute_message, postgres.c:2120
1772366400.125|openmeet_tests_17|[unknown]|ERROR:  23505: duplicate key value violates unique constraint "places_pkey"
1772366400.125|openmeet_tests_17|[unknown]|DETAIL:  Key (id)=(7) already exists.
1772366400.125|openmeet_tests_17|[unknown]|STATEMENT:  insert into places (id,
\tname) values ($1, $2)
1772366400.125|openmeet_tests_17|[unknown]|LOG:  00000: execute __asyncpg_stmt_9__: select * from places where id in ($1, $2, $3)
1772366400.125|openmeet_tests_17|[unknown]|LOG:  00000: execute <unnamed>: select * from places where id in ($1, $2)
1772366400.125|openmeet_tests_17|[unknown]|ERROR:  22012: division by zero
1772366400.125|openmeet_tests_17|[unknown]|LOG:  00000: statement: select pg_advisory_unlock(-805040588, 11412287)
1772366400.125|openmeet_tests_17|emptied schemas|LOG:  00000: statement: delete from "t_17_4"."places"
"""


def test_statements_and_violations_are_read(tmp_path: Path):
    """Statements and violations are listed once, regardless of the schema's name, the number of parameters and the keys
    of locks. The tests' own clean-up is not listed.
    """
    log = tmp_path / "log"
    log.write_text(LOG)
    found = inventory.inventory_of(["b", "a", "b"], log)
    assert found.cases == ["a", "b"]
    assert found.statements == [
        'begin; set local search_path to "n"',
        "insert into places (id, name) values ($n)",
        "select * from places where id in ($n)",
        "select pg_advisory_unlock(n, n)",
    ]
    assert found.constraints == ['duplicate key value violates unique constraint "places_pkey"']


def test_removed_cases_and_statements_are_listed(tmp_path: Path):
    before = Inventory(["f.py::test_a", "f.py::test_b[1]", "f.py::test_b[2]"], ["select 1", "select 2"], ["x"])
    inventory.write(before, tmp_path / "before.json")
    assert inventory.read(tmp_path / "before.json") == before
    assert inventory.missing(before, before) == []
    assert inventory.missing(before, Inventory(["f.py::test_b[1]"], ["select 2", "select 3"], [])) == [
        "f.py::test_a: 1 cases, now 0",
        "f.py::test_b: 2 cases, now 1",
        "statement: select 1",
        "constraint: x",
    ]


def test_subtest_replaces_a_parametrized_case():
    before = Inventory(["f.py::test_b[1]", "f.py::test_b[2]"], [], [])
    after = Inventory(["f.py::test_b", "f.py::test_b  {'number': '1'}", "f.py::test_b  {'number': '2'}"], [], [])
    assert inventory.missing(before, after) == []
