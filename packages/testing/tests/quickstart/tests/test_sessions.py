from sqlalchemy import func, select
from yourproject.models import Session

COUNT = select(func.count()).select_from(Session)


def test_what_one_request_puts_in_the_session_is_there_in_the_next(testapp, dbsession):
    assert testapp.get("/visit?page=a").json == {"visits": ["a"]}
    assert testapp.get("/visit?page=b").json == {"visits": ["a", "b"]}
    assert testapp.get("/visits").json == {"visits": ["a", "b"]}
    assert dbsession.scalar(COUNT) == 1


def test_every_test_starts_without_sessions(testapp, dbsession):
    assert dbsession.scalar(COUNT) == 0
    assert testapp.get("/visits").json == {"visits": []}
    assert not testapp.cookies


def test_the_outer_abort_leaves_nothing_behind(testapp, tm, dbengine):
    testapp.get("/visit?page=a")
    tm.abort()
    with dbengine.connect() as connection:
        assert connection.scalar(COUNT) == 0
    tm.begin()


def test_a_session_of_an_aborted_transaction_is_gone_for_its_cookie_too(testapp, tm):
    testapp.get("/visit?page=a")
    tm.abort()
    tm.begin()
    tm.doom()
    assert testapp.cookies
    assert testapp.get("/visits").json == {"visits": []}
