"""Settings for nbgrader's own commands in the course folder, to which `make assignment` copies this file."""
import os
import sys
from pathlib import Path

course = Path(__file__).resolve().parent
sys.path.insert(0, str(course))  # where sandbox.py is
os.environ['PYTHONPATH'] = str(course / 'en')  # where notebooks find utils.py; zh has the same
os.environ['PATH'] = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])  # nbgrader calls alembic

c = get_config()  # noqa: F821 (nbgrader provides it)
c.CourseDirectory.course_id = 'hot-dog'
c.ClearSolutions.code_stub = {'python': 'raise NotImplementedError()'}
c.ClearSolutions.text_stub = '……'
c.Execute.timeout = 180
c.Autograde.autograde_preprocessors = [  # nbgrader's own, but for the first
    'sandbox.SandboxedExecute', 'nbgrader.preprocessors.IgnorePattern', 'nbgrader.preprocessors.LimitOutput',
    'nbgrader.preprocessors.SaveAutoGrades', 'nbgrader.preprocessors.AssignLatePenalties',
    'nbgrader.preprocessors.CheckCellMetadata']
c.HTMLExporter.sanitize_html = True  # feedback is opened in the teacher's browser
c.GenerateFeedback.post_convert_hook = 'sandbox.offline'
