"""One way to write a statement for two drivers."""

import pytest

from groundwork.database import statements


@pytest.mark.parametrize(
    ("sql", "text", "names"),
    [
        ("select :a", "select $1", ("a",)),
        ("select :a, :b, :a", "select $1, $2, $1", ("a", "b")),
        ("select :a::text", "select $1::text", ("a",)),
        ("select 'x:a', ':b''c:d', :e", "select 'x:a', ':b''c:d', $1", ("e",)),
        ('select ":a" from ":b""c" where x=:d', 'select ":a" from ":b""c" where x=$1', ("d",)),
        ("select 1 -- :a\n, :b", "select 1 -- :a\n, $1", ("b",)),
        ("select 1 /* :a\n:b */, :c", "select 1 /* :a\n:b */, $1", ("c",)),
        ("select $$ :a $$, :b", "select $$ :a $$, $1", ("b",)),
        ("select $tag$ :a $$ :b $tag$, :c", "select $tag$ :a $$ :b $tag$, $1", ("c",)),
        ("select (:a,:b)", "select ($1,$2)", ("a", "b")),
        ("select x[1:2], :a", "select x[1:2], $1", ("a",)),
        ("select :a_1+:_b", "select $1+$2", ("a_1", "_b")),
        ("select x where y in :ys", "select x where y = any($1)", ("ys",)),
        ("select x where y NOT  IN :ys and z in :zs", "select x where y <> all($1) and z = any($2)", ("ys", "zs")),
        ("select x where y in (:a, :b)", "select x where y in ($1, $2)", ("a", "b")),
        ("select begin :a", "select begin $1", ("a",)),
        ("select 'in :a' where y in :b", "select 'in :a' where y = any($1)", ("b",)),
        ("select 'open :a", "select 'open $1", ("a",)),
    ],
)
def test_parameters_are_numbered_for_postgresql(sql, text, names):
    statement = statements.for_postgres(sql)
    assert (statement.text, statement.names) == (text, names)
    assert statements.for_sqlite(sql).names == names


def test_list_is_padded_to_a_power_of_two():
    """A list is padded to a power of two, so that few statements are prepared: three values take four slots. A repeated
    value does not change membership.
    """
    statement = statements.for_sqlite("select x where y in :ys and z = :z")
    text, values = statements.spread(statement, {"ys": [7, 8, 9], "z": 1})
    assert text == "select x where y in (:ys__0, :ys__1, :ys__2, :ys__3) and z = :z"
    assert values == {"z": 1, "ys__0": 7, "ys__1": 8, "ys__2": 9, "ys__3": 9}


def test_a_list_beyond_what_sqlite_binds_is_refused():
    statement = statements.for_sqlite("select x where y in :ys")
    with pytest.raises(ValueError, match="at most"):
        statements.spread(statement, {"ys": [1] * (statements.MAX_LIST + 1)})
    assert len(statements.spread(statement, {"ys": [1] * statements.MAX_LIST})[1]) == statements.MAX_LIST


@pytest.mark.parametrize("translate", [statements.for_postgres, statements.for_sqlite])
def test_a_list_parameter_must_be_a_list(translate):
    with pytest.raises(TypeError, match="list or tuple"):
        translate("select x where y in :ys").check({"ys": "abc"})


def test_script_is_split_at_semicolons():
    script = """
    create table a (x text default 'a;b'); -- one; two
    /* three; */ create table "b;c" (y text);
    ; -- nothing
    insert into a values ('it''s;')
    """
    assert list(statements.split(script)) == [
        "create table a (x text default 'a;b')",
        '-- one; two\n    /* three; */ create table "b;c" (y text)',
        "-- nothing\n    insert into a values ('it''s;')",
    ]
