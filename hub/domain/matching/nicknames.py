"""Short forms of first names. A name and its short forms are one group; a short form may belong to several."""

from collections import defaultdict
from collections.abc import Mapping

# A line is a group: spellings and short forms of one name, without accents.
_GROUPS = """
abigail abby gail
abraham abe bram
adam ad
adrian ade
agnes nessie aggie
alan allan allen al
albert al bert bertie alberto
alexander alex alec sandy sascha sasha xander aleksander alexandre alessandro alejandro lex
alexandra alex sandra sandy sasha alessandra alejandra
alfred alf fred alfie alfredo
alice ali alison ally
amanda mandy
amelia millie amy
andrew andy drew andreas andre andres andrea andrzej
angela angie angelika angelica
ann anne anna annie nancy hannah anja ana annika anya
anthony tony antonio anton antoine antonius toni
antonia toni tonia
arthur art arturo artur
barbara barb babs bärbel basia
beatrice bea trixie beatriz beatrix
benjamin ben benny benji
bernard bernie bernhard bernd bernardo
bridget biddy bridie brigitte gitta
cameron cam
caroline carol carrie carolin karoline carolina lina
catherine kate katie cathy kathy katherine kathryn kathrin katharina katja kitty cate catalina caterina kasia kath trina
cecilia cissy cecile celia
charles charlie chuck chas carlos carlo karl carl carlito
charlotte lottie charlie lotte carlotta
christian chris christiaan kris cristian
christina chris tina christine chrissy kristina christa cristina kirsten
christopher chris kit christoph topher kris cristobal christophe kester
clara claire klara clare
claudia claudie
clifford cliff
concepcion concha conchita
cornelius cor kees cornelis niels
cynthia cindy
daniel dan danny daniele
david dave davey davide
deborah deb debbie debra
dennis den denny denis
diana di diane
dolores lola
dominic dom nick dominik dominique domingo
donald don donny
dorothy dot dottie dolly dorothea dora thea dorothee
douglas doug
edmund ed eddie ned edmond
eduardo edu lalo
edward ed eddie ned ted teddy edoardo eduard
edwin ed eddie
eleanor ellie nell nora elinor eleonora eleonore lenora
elizabeth liz beth betty lizzie eliza elsie libby lisa elisabeth
elizabeth elise elisa lise betsy bess isabel elsbeth liesel lisbeth ela elżbieta
emily em emmy emilia emilie millie
emma em emmy
enrique quique
eric rick erik
ernest ernie ernst ernesto
eugene gene eugen eugenio
evelyn evie eve
ezekiel zeke
felicity fliss
fernando nando fernand ferdinand
florence flo florrie
frances fran franny fanny francesca francisca franziska franzi paca
francis frank fran francisco paco pancho franz francesco francois franciszek kiko
frederick fred freddy rick friedrich fritz federico frederik frederic frits freek
gabriel gabe gabriele
gabriela gabi gaby gabriele gabrielle
geoffrey geoff jeff jeffrey
george georg georgie jorge giorgio georges jerzy joris jurgen
gerald gerry jerry gerhard gerard gerd gerardo
gertrude trudy gertrud gerti
gilbert gil bert
giovanni gianni vanni nino
giuseppe beppe peppe pino
gordon gordie
grace gracie
gregory greg gregor gregorio grzegorz
guadalupe lupe
guillaume guillermo guille memo willem wilhelm willi helmut wim
gustav gus gustavo gustaf
harold harry hal harald
harriet hattie harry
heather heath
heinrich heinz henry heino hendrik henk hein rik henri enrico
helen nell ellen helena helene lena leni elena
henry harry hank hal
herbert herb bert
hildegard hilde
hubert hugh bert
hugo hugh
ignacio nacho ignatius
irene rene
isaac ike zac
isabel isa bella izzy isabella isabelle belle
jack john jackie jake
jacob jake jakob jacques iago jaap jakub
jacqueline jackie
james jim jimmy jamie jem jaime santiago giacomo
jan johan
jane janet jenny jean jeanne
janet jan
jason jay
jennifer jen jenny jenn
jeremy jem jerry jeremiah
jeronimo jero jerome
jessica jess jessie
jesus chuy
joachim jochen achim joaquin kim
joan jo joanie
joanna jo joanne johanna hanna jana
johannes hans jan johann hannes johan
john jack johnny jon jan juan ian ivan hans jean joao evan sean giovanni janek
jonathan jon jonny nathan johnathan jonathon
jose pepe josep chepe
joseph joe joey josef jose jozef sepp jo joep jupp jossif
josephine jo josie josefine fina josefina pepa pepita
joshua josh
judith judy jutta
julia julie jules giulia
julian jules
juliana jules
karin karen
katarzyna kasia
kenneth ken kenny
kimberly kim kimberley
krzysztof krzys
laura laurie lori
laurence larry lawrence laurie lars lorenz lorenzo lorenc laurent lourens
lauren laurie
leonard leo len lenny leonardo leonhard
leopold leo poldi
leslie les
lillian lily lil lilly
louis lou louie luis ludwig lewis luigi ludovic lutz
louisa lou luisa louise
lucas luke lukas luca lucca lukasz
lucille lucy lucia luz
luciano chano
madeleine maddy madeline madison magda maddie
magdalena magda lena leni
manuel manolo manny manu
manuela manu
marcus marc mark marco marcos markus marek
margaret maggie meg peggy greta marge rita margarete margarita gretel
margaret margit margot marga grete daisy gosia małgorzata malgorzata margherita margarethe
maria mary marie mia molly polly may mari mitzi mariechen maja maryja ria miep marija
maria-teresa maite
martin marty martino marcin
martina tina
mathilda tilly matilda matilde
matthew matt mat matthias matteo mateo mathieu matty mattias mateusz
maurice mo moritz mauricio maurizio
maximilian max massimiliano maximo
megan meg
melanie mel
melissa mel missy lissa
mercedes merche
michael mike mick mickey mikey michel michal miguel michele mischa michiel mitch
michelle shelly chelle michele
mildred millie
mitchell mitch
mohammed mohammad muhammad mohamed mo mehmet muhammed ahmed
monica moni monika
natalie nat nathalie natalia natasha
nathan nate nat nathaniel
nicholas nick nicky nico nicolas nikolaus klaus niklas nicola nils nikolai claus niels nicolo miklos
nicole nicky nikki nic
oliver ollie olli olivier
olivia liv livvy
oscar ozzie oskar
otto odo
pamela pam
patricia pat patty tricia trish patrizia
patrick pat paddy patrik patricio patrizio
paul pauly pablo paolo pawel
paula paulina pauline
penelope penny
peter pete petra piet pedro pietro pierre piotr pieter
philip phil pip philipp felipe filippo phillip philippe
priscilla cilla
rachel rach rachael raquel
rafael rafa raphael
ramon moncho
raymond ray raimund
rebecca becky bec becca rebekah
regina gina
reginald reg reggie
renate rena nate
ricardo rico
richard rick dick rich ricky ritchie riccardo ricardo rik
robert bob rob bobby robbie bert roberto robin
roberta bobbie
roderick rod
rodney rod
roger rog rogelio
roland rolf
ronald ron ronnie ronny
rosario charo
rose rosa rosie rosalie
rosemary rosie rose romy
rudolf rudi rolf rudolph rodolfo ruud
russell russ
samantha sam sammy
samuel sam sammy
sandra sandy
sarah sally sara sadie
scott scotty
sebastian seb bastian basti sebastien
sharon shaz
silvia sylvia sylvie
simon si simone
sofia sophie sophia zofia sofie fia
stanley stan stanislaw
stephanie steph stefanie steffi stephie estefania
stephen steve steven stefan stephan stevie esteban stefano etienne szczepan
stuart stu stewart
susan sue susie suzanne susanne suzie susanna sanne
sydney sid
tamara tammy
teodoro teo
teresa terry tess theresa resi tessa therese maite
terence terry
thaddeus tad
theodore ted teddy theo theodor
therese resl
thomas tom tommy thom tomas tommaso tomasz maas
timothy tim timmy timo
tobias toby tobi
ulrich uli ulli
ulrike uli rike
ursula uschi ursel
valentina val vale
valerie val
vanessa ness nessa
veronica vera ronnie veronika roni
victor vic viktor vittorio
victoria vicky tori viktoria vittoria
vincent vince vinnie vincenzo vicente vincenz
virginia ginny
vladimir vova
waldemar waldi
walter walt wally walther wouter
wendy wen
werner wern
wilhelmina mina wilma minna
william bill will billy willy liam guillermo guillaume willem
winifred winnie
wolfgang wolf
yekaterina katya
yevgeny zhenya
zachary zach zack zak
zoe zoey
"""


def _by_name() -> Mapping[str, frozenset[int]]:
    groups: dict[str, set[int]] = defaultdict(set)
    for number, line in enumerate(_GROUPS.split("\n")):
        for name in line.split():
            groups[name].add(number)
    return {name: frozenset(numbers) for name, numbers in groups.items()}


_GROUPS_BY_NAME = _by_name()
_NONE: frozenset[int] = frozenset()


def share_a_long_form(first: str, second: str) -> bool:
    """Whether two different first names, in their normal form, are forms of one name."""
    return not _GROUPS_BY_NAME.get(first, _NONE).isdisjoint(_GROUPS_BY_NAME.get(second, _NONE))
