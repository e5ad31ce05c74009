"""What this project's developer writes after the Quick Start: views that use the session."""

from pyramid.view import view_config


@view_config(route_name="visits", renderer="json")
def visits(request):
    return {"visits": request.session.get("visits", [])}


@view_config(route_name="visit", renderer="json")
def visit(request):
    # A nested change: nobody says that the session changed.
    request.session.setdefault("visits", []).append(request.params["page"])
    return visits(request)


@view_config(route_name="visit_and_fail")
def visit_and_fail(request):
    visit(request)
    raise RuntimeError("after the change")
