import gc
import os

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stigg_zuora.settings")
application = get_wsgi_application()
# A web server starts without manage.py, which would have said what is wrong with the settings.
call_command("check")
# What is there now stays: the collector need not look at it each time that a large batch makes it look around.
gc.collect()
gc.freeze()
