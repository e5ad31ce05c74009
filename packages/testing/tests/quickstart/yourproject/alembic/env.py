"""What alembic runs: the ini file of the application says which database."""

import sqlalchemy
from alembic import context
from pyramid.paster import get_appsettings, setup_logging
from yourproject.models.meta import Base

ini_file = context.config.config_file_name
setup_logging(ini_file)
settings = get_appsettings(ini_file)

if context.is_offline_mode():
    context.configure(url=settings["sqlalchemy.url"])
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = sqlalchemy.engine_from_config(settings, prefix="sqlalchemy.")
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()
