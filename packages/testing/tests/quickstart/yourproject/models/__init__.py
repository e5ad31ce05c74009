"""The project's models, and the database session of a request."""

import zope.sqlalchemy
from sqlalchemy import engine_from_config
from sqlalchemy.orm import configure_mappers, sessionmaker

from .mymodel import MyModel  # noqa: F401 - every model is imported here, so that the metadata knows all

configure_mappers()


def get_engine(settings, prefix="sqlalchemy."):
    return engine_from_config(settings, prefix)


def get_session_factory(engine):
    return sessionmaker(bind=engine)


def get_tm_session(session_factory, transaction_manager, request=None):
    """Return a database session that joins the transactions of a manager."""
    dbsession = session_factory(info={"request": request})
    zope.sqlalchemy.register(dbsession, transaction_manager=transaction_manager)
    return dbsession


def includeme(config):
    """Give requests a transaction, retries and `request.dbsession`."""
    settings = config.get_settings()
    settings["tm.manager_hook"] = "pyramid_tm.explicit_manager"
    config.include("pyramid_tm")
    config.include("pyramid_retry")

    # A test hands its own engine in.
    engine = settings.get("dbengine") or get_engine(settings)
    session_factory = get_session_factory(engine)
    config.registry["dbsession_factory"] = session_factory

    def dbsession(request):
        # A test hands its own database session in.
        given = request.environ.get("app.dbsession")
        return given if given is not None else get_tm_session(session_factory, request.tm, request=request)

    config.add_request_method(dbsession, reify=True)
