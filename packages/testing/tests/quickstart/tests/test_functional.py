from yourproject import models


def test_the_first_page_shows_a_row(testapp, dbsession):
    dbsession.add(models.MyModel(name="one", value=55))
    dbsession.flush()
    assert "yourproject: one" in testapp.get("/", status=200)


def test_a_page_that_is_not_there(testapp):
    assert "no such page" in testapp.get("/badurl", status=404)
