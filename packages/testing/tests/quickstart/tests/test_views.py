from yourproject import models
from yourproject.views.default import my_view
from yourproject.views.notfound import notfound_view
from yourproject.views.visits import visit, visits


def test_the_first_page_fails_without_a_row(app_request):
    assert my_view(app_request).status_int == 500


def test_the_first_page_gets_the_row(app_request, dbsession):
    dbsession.add(models.MyModel(name="one", value=55))
    dbsession.flush()
    assert my_view(app_request)["one"].value == 55


def test_the_not_found_page(dummy_request):
    assert notfound_view(dummy_request) == {}
    assert dummy_request.response.status_int == 404


def test_a_view_called_with_a_real_request_uses_a_real_session(app_request):
    app_request.GET["page"] = "a"
    assert visit(app_request) == visits(app_request) == {"visits": ["a"]}


def test_a_view_called_with_a_dummy_request_uses_pyramids_dummy_session(dummy_request):
    dummy_request.params["page"] = "a"
    assert visit(dummy_request) == visits(dummy_request) == {"visits": ["a"]}
