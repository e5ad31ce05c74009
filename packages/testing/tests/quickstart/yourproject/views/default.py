"""The first page."""

from pyramid.response import Response
from pyramid.view import view_config
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from .. import models


@view_config(route_name="home", renderer="yourproject:templates/mytemplate.jinja2")
def my_view(request):
    try:
        one = request.dbsession.scalars(select(models.MyModel).where(models.MyModel.name == "one")).one()
    except SQLAlchemyError:
        return Response("The database has no tables or no rows yet.", content_type="text/plain", status=500)
    return {"one": one, "project": "yourproject"}
